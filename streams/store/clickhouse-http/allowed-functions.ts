import { readFileSync } from 'node:fs';

/** Combinators of aggregates; none that reads a state that the caller could have made up. */
const combinators = /(?:If|Array|Map|Distinct|OrNull|OrDefault|ForEach|Resample|ArgMin|ArgMax|Tuple|Null)$/i;

/** Answers whether a reader may call a function, by the list in `allowed-functions.txt`. *Shape* letter case does not count: the engine knows some names in any. */
export function readAllowedFunctions(): (name: string) => boolean {
  const text = readFileSync(new URL('./allowed-functions.txt', import.meta.url), 'utf8');
  const plain = new Set<string>();
  const aggregates = new Set<string>();
  let isAggregate = false;
  for (const line of text.split('\n')) {
    if (line.startsWith('#')) isAggregate = line === '# aggregates';
    else
      for (const name of line.split(' ')) if (name !== '') (isAggregate ? aggregates : plain).add(name.toLowerCase());
  }
  return (name) => {
    let base = name.toLowerCase();
    if (plain.has(base)) return true;
    for (let left = 4; left > 0 && !aggregates.has(base); left--) base = base.replace(combinators, '');
    return aggregates.has(base);
  };
}
