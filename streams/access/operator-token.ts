import { randomBytes } from 'node:crypto';
import { chmodSync, closeSync, fsyncSync, openSync, readFileSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '../contract/index.ts';

/** What an operator token looks like. */
export const operatorTokenPattern = /^op_[A-Za-z0-9_-]{43}$/;

/**
 * Reads `DATA_DIR/operator.token`, creating it (mode 0600, random, flushed) at the first start.
 *
 * *Errors* `access.operator_token_invalid` when the file holds something else: it is never overwritten.
 */
export function openOperatorToken(dataDir: string): {
  readonly token: string;
  readonly path: string;
  readonly created: boolean;
} {
  const path = join(dataDir, 'operator.token');
  const created = createOnce(path);
  if ((statSync(path).mode & 0o077) !== 0) chmodSync(path, 0o600);
  const token = readFileSync(path, 'utf8').trim();
  if (!operatorTokenPattern.test(token)) {
    throw new AppError(
      'access.operator_token_invalid',
      `${path} holds no operator token; delete it to have a new one made`,
      {
        field: path,
      },
    );
  }
  return { token, path, created };
}

function createOnce(path: string): boolean {
  let descriptor: number;
  try {
    descriptor = openSync(path, 'wx', 0o600);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
  try {
    writeSync(descriptor, `op_${randomBytes(32).toString('base64url')}\n`);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  return true;
}
