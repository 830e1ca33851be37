import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import type { Writable } from 'node:stream';
import { InputError, parsePlan, ratedText, rateUsage } from './rating/rate-command.ts';

async function write(stream: Writable, text: string): Promise<void> {
  if (stream.write(text)) return;
  await new Promise<void>((resolve) => stream.once('drain', resolve));
}

const unreadable = (error: unknown): never => {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === undefined) throw error;
  throw new InputError(message);
};

async function rate(options: Readonly<Record<string, string | undefined>>, stdout: Writable): Promise<void> {
  const { plan: planFile, usage: usageFile } = options;
  if (planFile === undefined) throw new InputError('--plan FILE is missing');
  if (usageFile === undefined) throw new InputError('--usage FILE is missing');
  const plan = parsePlan(planFile, await readFile(planFile, 'utf8').catch(unreadable));
  const input = createReadStream(usageFile);
  const rows = createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY });
  // A line reader that is iterated does not pass on what its stream fails with.
  const failed = new Promise<never>((_, reject) => input.once('error', reject));
  const lines = await Promise.race([rateUsage(usageFile, rows, plan), failed]).catch((error: unknown) => {
    if (error instanceof InputError) throw error;
    return unreadable(error);
  });
  for (const text of ratedText(plan, lines)) await write(stdout, text);
}

/** Commands on plain files, as data: they load nothing of the server. */
export const commands = [
  {
    name: 'rate',
    summary: 'price usage by a plan, exactly: meter,quantity rows to a JSON line a charge',
    options: [
      { flags: '--plan <file>', description: 'JSON: {"currency":"USD","charges":[{"meter","model",…}]}' },
      { flags: '--usage <file>', description: 'CSV with the header meter,quantity' },
    ],
    async run(
      options: Readonly<Record<string, string | undefined>>,
      io: { readonly stdout: Writable; readonly stderr: Writable },
    ): Promise<number> {
      try {
        await rate(options, io.stdout);
        return 0;
      } catch (error) {
        if (!(error instanceof InputError)) throw error;
        await write(io.stderr, `pulse rate: ${error.message}\n`);
        return 2;
      }
    },
  },
] as const;
