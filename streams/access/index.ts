export { accessPlugin, type DeclaredRoute, declaredRoutes } from './access-plugin.ts';
export { createApiKey } from './api-key.ts';
export { type AdmittedCall, type CallAccess, type CallAction, createCallAccess } from './call-access.ts';
export { type ControlAccess, createControlAccess } from './control-access.ts';
export { type AccessRoutesDeps, accessRoutes } from './http.ts';
export { createLimitsDirectory } from './limits-directory.ts';
export { accessMatrix, judgeAnswer, type MatrixCase, type MatrixSetup } from './matrix.ts';
export { accessApiModule, accessModule, modules } from './module.ts';
export type {
  Access,
  Action,
  LimitsDirectory,
  Principal,
  Resource,
  RoleName,
  RoutePermission,
  TenantDirectory,
} from './port.ts';
export { type Grant, type GrantScope, grantedScope, roleMayCall, roles } from './roles.ts';
export { createTenantDirectory } from './tenant-directory.ts';
export { burstSeconds, TokenBucket } from './token-bucket.ts';
