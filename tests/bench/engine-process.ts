import { createInterface } from 'node:readline';
import { Session } from 'chdb';

// Child of engine.ts: a JSON array of statements a line in, timings and the last result out.
const session = new Session(process.argv[2] ?? '', { connectionArgs: ['--max_server_memory_usage=4000000000'] });
process.stdout.write('ready\n');
for await (const line of createInterface({ input: process.stdin })) {
  try {
    const ms: number[] = [];
    let text = '';
    for (const statement of JSON.parse(line) as string[]) {
      const started = performance.now();
      text = String(session.query(statement, 'JSONEachRow'));
      ms.push(performance.now() - started);
    }
    const rows = text
      .split('\n')
      .filter((row) => row !== '')
      .map((row) => JSON.parse(row));
    process.stdout.write(`${JSON.stringify({ rows, ms })}\n`);
  } catch (error) {
    process.stdout.write(`${JSON.stringify({ error: String(error) })}\n`);
  }
}
process.exit(0);
