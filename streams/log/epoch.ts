import { randomBytes } from 'node:crypto';
import { AppError } from '../contract/index.ts';
import { type LogFileSystem, replaceFile } from './file-system.ts';
import { corrupt } from './log-errors.ts';

const format = 1;
const name = 'epoch.json';

/**
 * The log's identity, made once with its data and durable before the first segment.
 *
 * *Errors* `log.corrupt` when data is there without it; `log.newer_format` when a newer version wrote the data.
 */
export async function openEpoch(fs: LogFileSystem, directory: string): Promise<string> {
  await fs.makeDirectory(directory);
  const bytes = await fs.readFile(`${directory}/${name}`);
  if (bytes === null) {
    const others = (await fs.list(directory)).filter((entry) => entry !== `${name}.new`);
    if (others.length > 0)
      throw corrupt(`${directory}/${name}`, 0, 'there is data, but the file with its epoch is missing');
    const epoch = randomBytes(8).toString('hex');
    await replaceFile(fs, directory, name, Buffer.from(JSON.stringify({ format, epoch })));
    return epoch;
  }
  const value = parse(bytes);
  if (typeof value?.format === 'number' && value.format > format)
    throw new AppError(
      'log.newer_format',
      `the log in ${directory} has format ${value.format}, this version reads up to ${format}`,
      {
        context: { directory, format: value.format },
      },
    );
  if (value?.format !== format || typeof value.epoch !== 'string' || !/^[0-9a-f]{16}$/.test(value.epoch))
    throw corrupt(`${directory}/${name}`, 0, 'the file with the epoch cannot be read');
  return value.epoch;
}

function parse(bytes: Buffer): { format?: unknown; epoch?: unknown } | null {
  try {
    return JSON.parse(bytes.toString('utf8')) as { format?: unknown; epoch?: unknown } | null;
  } catch {
    return null;
  }
}
