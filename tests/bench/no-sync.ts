import fs, { type FileHandle } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';

/** Loaded before a server by a benchmark only: log segments are written and not synced, which is what durability costs nothing against. No setting of the product does this. */
const open = fs.open;
fs.open = async (path, flags, mode) => {
  const handle: FileHandle = await open(path, flags, mode);
  if (String(path).endsWith('.segment')) Object.assign(handle, { datasync: async () => undefined });
  return handle;
};
syncBuiltinESMExports();
