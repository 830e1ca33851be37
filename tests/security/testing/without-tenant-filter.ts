import { registerHooks } from 'node:module';

/**
 * Loaded before the program (`--import`): takes the application's own tenant checks out of `streams/access/permission.ts` as it is read, so that only the database stands between two tenants.
 *
 * *Errors* a check that is not found where it was ends the process: the build would not be the mutant it claims to be.
 */
const mutations: readonly (readonly [check: string, without: string])[] = [
  // A tenant out of reach is refused.
  [
    'if (tenant === undefined || !reaches(principal, scope, tenant)) throw forbidden();',
    'if (tenant === undefined) throw forbidden();',
  ],
  // A role without the right is refused.
  ['if (scope === null) throw forbidden();\n  const own', "if (scope === null) scope = 'tenant';\n  const own"],
  [
    'const scope = grantedScope(principal.role, permission.resource, permission.action);',
    'let scope = grantedScope(principal.role, permission.resource, permission.action);',
  ],
  // A foreign name anywhere usual is refused.
  [
    "if (principal.role === 'operator') return;\n  const scope: GrantScope",
    'if (sources !== null) return;\n  const scope: GrantScope',
  ],
];

registerHooks({
  load(url, context, nextLoad) {
    const loaded = nextLoad(url, context);
    if (!url.endsWith('/streams/access/permission.ts')) return loaded;
    let source = loaded.source?.toString() ?? '';
    for (const [check, without] of mutations) {
      if (source.split(check).length !== 2) throw new Error(`the check is not there once: ${check}`);
      source = source.replace(check, without);
    }
    process.stdout.write('mutant: no tenant filter in the application\n');
    return { ...loaded, source };
  },
});
