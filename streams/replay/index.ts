export { replayModule } from './module.ts';
export type { Maintenance, Position, Rebuilder, ReplayScope, ReplayTable, SwapKind } from './port.ts';
export { type ReplayDeps, type ReplayReport, type ReplayRequest, runReplay } from './replay-run.ts';
export { rollUpRebuilder } from './roll-up-rebuilder.ts';
export { knownBelow } from './tables.ts';
