import { Command } from 'commander';
import { AppError } from 'streams/contract';
import { ZodError } from 'zod';
import { createApiClient } from './api-client.ts';
import type { CommandResult } from './commands.ts';
import packageJson from './package.json' with { type: 'json' };

/** Exit code for "a reading failed": the answer is unknown, which is not the same as wrong. */
const readingFailed = 3;
const wrongUse = 2;

const program = new Command('pulse')
  .description('DotMac Pulse: telemetry, service levels, usage, invoices and decisions')
  .version(packageJson.version)
  .showHelpAfterError()
  .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : wrongUse))
  .addHelpText(
    'afterAll',
    '\nEnvironment: PULSE_URL (http://127.0.0.1:8000), PULSE_TOKEN, or PULSE_DATA_DIR (./data) to read operator.token from.\nExit codes: 0 fine, 1 the check failed, 2 wrong use or input, 3 a reading failed.',
  );

type Api = ReturnType<typeof createApiClient>;
type Commands = typeof import('./commands.ts');

/** Runs a command against the server and prints its text, or with --json what a program reads. */
function serverAction<Options extends { json?: boolean }>(
  run: (commands: Commands, api: Api, options: Options, args: string[]) => Promise<CommandResult>,
) {
  return async (...received: unknown[]) => {
    const command = received.at(-1) as Command;
    const options = command.opts<Options>();
    try {
      const result = await run(await import('./commands.ts'), createApiClient(process.env), options, command.args);
      process.stdout.write(`${options.json === true ? JSON.stringify(result.json, null, 2) : result.text}\n`);
      process.exitCode = result.exitCode;
    } catch (error) {
      process.stderr.write(`pulse: ${describe(error)}\n`);
      process.exitCode = isWrongInput(error) ? wrongUse : readingFailed;
    }
  };
}

/** What the caller can correct: refused here, or by the server as a bad request. */
function isWrongInput(error: unknown): boolean {
  return (
    error instanceof ZodError ||
    (error instanceof AppError && error.code === 'cli.change_invalid') ||
    (error instanceof AppError && error.code === 'cli.refused' && [400, 404, 409, 422].includes(error.status))
  );
}

function describe(error: unknown): string {
  if (error instanceof ZodError)
    return error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; ');
  if (error instanceof AppError) return error.message;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

const json = ['--json', 'print JSON instead of a table'] as const;
const period = ['--period <yyyy-mm>', 'the month; the running one when left out'] as const;
const tenant = ['--tenant <id>', 'one tenant only'] as const;

program
  .command('status')
  .summary('is the server ready, and how is the fleet')
  .option(...json)
  .action(serverAction((commands, api) => commands.status(api)));

const tenants = program
  .command('tenants')
  .summary('list tenants')
  .option(...json)
  .action(serverAction((commands, api) => commands.tenants(api)));
tenants
  .command('create <id>')
  .summary('create a tenant and print its first API key')
  .requiredOption('--name <name>', 'display name')
  .option('--tier <tier>', 'micro, small, medium, large or xlarge')
  .option('--plan <plan>', 'basic, professional or enterprise')
  .option('--region <region>')
  .option('--currency <code>')
  .option('--time-zone <zone>', 'IANA name such as Europe/Dublin')
  .option(...json)
  .action(
    serverAction((commands, api, { json: _json, ...options }: { json?: boolean; name: string }, [id = '']) =>
      commands.createTenant(api, { ...options, id } as Parameters<Commands['createTenant']>[1]),
    ),
  );
tenants
  .command('limits <id> [changes...]')
  .summary('show the limits of a tenant; NAME=VALUE changes one, NAME=default takes it away')
  .option(...json)
  .action(serverAction((commands, api, _options, [id = '', ...changes]) => commands.tenantLimits(api, id, changes)));

program
  .command('invoices')
  .summary('invoices of a month')
  .option(...period)
  .option(...tenant)
  .option(...json)
  .action(
    serverAction((commands, api, { json: _json, ...filter }: { json?: boolean; period?: string; tenant?: string }) =>
      commands.invoices(api, filter),
    ),
  );

program
  .command('reconcile')
  .summary('compare what was produced, accepted, logged, stored, rolled up, rated and invoiced, hour by hour')
  .option(...period)
  .option(...tenant)
  .option('--self-test', 'spoil a shadow copy at every hand-over: does the ledger notice?')
  .option(...json)
  .action(
    serverAction(
      (
        commands,
        api,
        { json: _json, selfTest, ...filter }: { json?: boolean; selfTest?: boolean; period?: string; tenant?: string },
      ) => (selfTest === true ? commands.reconcileSelfTest(api) : commands.reconcile(api, filter)),
    ),
  );

const audit = program.command('audit').summary('the audit chain');
audit
  .command('verify')
  .summary('check the hash chain of every change')
  .option(...json)
  .action(serverAction((commands, api) => commands.verifyAudit(api)));

const letters = program.command('dead-letters').summary('records that could not be stored');
letters
  .command('list')
  .summary('newest first')
  .option(...tenant)
  .option('--limit <n>', 'how many, at most 1000', '50')
  .option(...json)
  .action(
    serverAction(async (_, api, { json: _json, ...filter }: { json?: boolean; tenant?: string; limit?: string }) =>
      (await import('./dead-letters.ts')).listDeadLetters(api, filter),
    ),
  );
letters
  .command('show <id>')
  .summary('code, detail, envelope and the original bytes')
  .option('--output <file>', 'write the bytes to a file')
  .option(...json)
  .action(
    serverAction(async (_, api, options: { json?: boolean; output?: string }, [id = '']) =>
      (await import('./dead-letters.ts')).showDeadLetter(api, id, options),
    ),
  );
letters
  .command('replay <id>')
  .summary('put the record on the log again and say what became of it')
  .option(...json)
  .action(
    serverAction(async (_, api, _options: { json?: boolean }, [id = '']) =>
      (await import('./dead-letters.ts')).replayDeadLetter(api, id),
    ),
  );

const replays = program
  .command('replay')
  .summary('rebuild hours from the log beside the live tables, compare, and with --into live replace what differs')
  .option('--from <iso>', 'first UTC hour, such as 2026-11-20 or 2026-11-20T06:00:00Z')
  .option('--to <iso>', 'the hour after the last')
  .option(...tenant)
  .option('--into <shadow|live>', 'only compare, or replace too', 'shadow')
  .option('--known-at <positions...>', 'cut-offs of invoices to compare facts at, such as 0:4711,1:90')
  .option('--no-wait', 'do not wait for the end')
  .option(...json)
  .action(
    serverAction(async (_, api, { json: _json, ...options }: { json?: boolean; from?: string; to?: string }) =>
      (await import('./maintenance.ts')).replay(api, options),
    ),
  );
replays
  .command('show <id>')
  .summary('progress and comparison')
  .option(...json)
  .action(serverAction(async (_, api, _options, [id = '']) => (await import('./maintenance.ts')).showReplay(api, id)));
replays
  .command('cancel <id>')
  .summary('end it early; the live tables stay as they are')
  .option(...json)
  .action(
    serverAction(async (_, api, _options, [id = '']) => (await import('./maintenance.ts')).cancelReplay(api, id)),
  );

const backups = program
  .command('backup [dir]')
  .summary('back up control plane, tables and position in the log to a directory of the server, and try a restore')
  .option('--to <dir>', 'the same as the argument')
  .option('--no-wait', 'do not wait for the end')
  .option(...json)
  .action(
    serverAction(async (_, api, options: { json?: boolean; to?: string; wait?: boolean }, [dir]) => {
      const directory = dir ?? options.to;
      const wait = options.wait ?? true;
      return (await import('./maintenance.ts')).backup(api, directory === undefined ? { wait } : { directory, wait });
    }),
  );
backups
  .command('list')
  .summary('newest first')
  .option(...json)
  .action(serverAction(async (_, api) => (await import('./maintenance.ts')).listBackups(api)));

// Commands on plain files: they need no server and load nothing of it.
const plain = [
  ...(await import('analytics/cli')).commands,
  ...(await import('billing-rater/cli')).commands,
  ...(await import('streams/cli')).commands,
];
for (const { name, summary, options, run } of plain) {
  const command = program.command(name).summary(summary);
  for (const option of options)
    command.option(option.flags, option.description, 'default' in option ? option.default : undefined);
  command.action(async (given: Record<string, string | undefined>) => {
    process.exitCode = await run(given, process);
  });
}

/** A command's own help says what the list of commands says of it. */
function describeAll(commands: readonly Command[]): void {
  for (const command of commands) {
    if (command.description() === '') command.description(command.summary());
    describeAll(command.commands);
  }
}
describeAll(program.commands);
await program.parseAsync();
