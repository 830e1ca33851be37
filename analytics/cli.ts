import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { forecastCsv, InputError, parseForecastOptions } from './forecast/forecast-command.ts';

/** Streams that a command may use instead of the process's own. */
export interface CommandIo {
  readonly stdin: Readable;
  readonly stdout: Writable;
  readonly stderr: Writable;
}

/** A command of `pulse` as data, so that this folder needs no command-line library. *Shape* `flags` in the form `--name <value>`; `run` resolves to the exit code. */
export interface Command {
  readonly name: string;
  readonly summary: string;
  readonly options: readonly { readonly flags: string; readonly description: string; readonly default?: string }[];
  run(options: Readonly<Record<string, string | undefined>>, io: CommandIo): Promise<number>;
}

async function write(stream: Writable, text: string): Promise<void> {
  if (stream.write(text)) return;
  await new Promise<void>((resolve) => stream.once('drain', resolve));
}

const forecastCommand: Command = {
  name: 'forecast',
  summary: 'forecast every series of a CSV on stdin: series,timestamp,value to series,step,mean,lower,upper',
  options: [
    { flags: '--horizon <steps>', description: 'how many steps ahead' },
    { flags: '--season <steps>', description: 'the period to consider, or auto', default: 'auto' },
    { flags: '--interval <fraction>', description: 'wanted coverage of lower to upper', default: '0.95' },
  ],
  async run(options, io) {
    try {
      const parsed = parseForecastOptions(options);
      const lines = createInterface({ input: io.stdin, crlfDelay: Number.POSITIVE_INFINITY });
      for await (const text of forecastCsv(lines, parsed)) await write(io.stdout, text);
      return 0;
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      await write(io.stderr, `pulse forecast: ${error.message}\n`);
      return 2;
    }
  },
};

/** Commands on plain files; they load nothing of the server. */
export const commands: readonly Command[] = [forecastCommand];
