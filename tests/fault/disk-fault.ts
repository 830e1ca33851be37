import { appendFileSync, readFileSync } from 'node:fs';
import fs, { type FileHandle } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';

/**
 * Loaded before the server (`--import`): makes chosen disk operations of chosen files fail, as the plan file says at that moment. The server itself knows nothing of it.
 *
 * *Shape* the plan is JSON of {@link DiskFaultPlan}; every operation that failed is a line in the file named `PLAN.failed`.
 */
export interface DiskFaultPlan {
  /** Changes with every plan: operations are counted anew from there. */
  readonly id: number;
  readonly operation: 'datasync' | 'writev';
  /** Part of the path. */
  readonly path: string;
  /** The first operation that fails, counted from 1, and how many fail. */
  readonly nth: number;
  readonly times: number;
  readonly code: 'EIO' | 'ENOSPC';
}

const planFile = process.env['PULSE_FAULT_PLAN'] ?? '';
let counted = { id: -1, operations: 0 };

function failure(operation: DiskFaultPlan['operation'], path: string): Error | null {
  let plan: DiskFaultPlan;
  try {
    plan = JSON.parse(readFileSync(planFile, 'utf8')) as DiskFaultPlan;
  } catch {
    return null;
  }
  if (plan.operation !== operation || !path.includes(plan.path)) return null;
  if (plan.id !== counted.id) counted = { id: plan.id, operations: 0 };
  counted.operations += 1;
  const nth = counted.operations;
  if (nth < plan.nth || nth >= plan.nth + plan.times) return null;
  appendFileSync(`${planFile}.failed`, `${plan.id} ${nth} ${path}\n`);
  return Object.assign(new Error(`${plan.code}: injected ${operation}`), { code: plan.code });
}

const open = fs.open;
fs.open = async (path, flags, mode) => {
  const handle: FileHandle = await open(path, flags, mode);
  const name = String(path);
  for (const operation of ['datasync', 'writev'] as const) {
    const real = handle[operation].bind(handle) as (...args: unknown[]) => Promise<unknown>;
    Object.assign(handle, {
      [operation]: async (...args: unknown[]) => {
        const error = failure(operation, name);
        if (error !== null) throw error;
        return real(...args);
      },
    });
  }
  return handle;
};
syncBuiltinESMExports();
