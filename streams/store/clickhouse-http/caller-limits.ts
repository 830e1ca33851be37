import { Refusal } from './exceptions.ts';

/** Lets so many statements of one caller run or wait at once; more are refused at once, so that one caller's flood is never another's wait. */
export function createCallerLimits(most: number): { enter(caller: string): () => void } {
  const running = new Map<string, number>();
  return {
    enter(caller) {
      const count = running.get(caller) ?? 0;
      if (count >= most)
        throw new Refusal(202, 'TOO_MANY_SIMULTANEOUS_QUERIES', `Too many simultaneous queries. Maximum: ${most}`);
      running.set(caller, count + 1);
      let held = true;
      return () => {
        if (!held) return;
        held = false;
        const left = (running.get(caller) ?? 1) - 1;
        if (left === 0) running.delete(caller);
        else running.set(caller, left);
      };
    },
  };
}
