export { type Clock, systemClock } from './clock.ts';
export {
  checkTransport,
  enabledFlag,
  environmentNames,
  type Invocation,
  parseSections,
  readConfig,
  Secret,
  ServerConfig,
  secret,
} from './config.ts';
export { openDataDirectory } from './data-directory.ts';
export { type HttpProcess, httpModules } from './http-module.ts';
export { answerError, answeredCode, createApp, listen, listenError } from './http-server.ts';
export { createLogger } from './logger.ts';
export {
  configSchemas,
  createModules,
  type ModuleSet,
  type ModuleState,
  selectModules,
  type Targets,
} from './manager.ts';
export {
  type Addresses,
  defineModule,
  type GatewayListener,
  type ListenAt,
  type ModuleDefinition,
  type Readiness,
  type RunningModule,
  type Services,
} from './module.ts';
export { pageModule } from './page-module.ts';
export { type Rounds, startRounds } from './rounds.ts';
export { TlsFiles, type TlsMaterial, type TlsSource } from './tls-files.ts';
export { startTracing } from './tracing.ts';
export { createWorkGate, type WorkGate } from './work-gate.ts';
