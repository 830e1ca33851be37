import { relative } from 'node:path';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** The files that take longest, the longest first. A file that begins late and takes long leaves one core idle at the end. */
const longest: readonly string[] = [
  'tests/fault/checks-lost.engine.test.ts',
  'tests/fault/checks-counted.engine.test.ts',
  'tests/fault/checks-door.engine.test.ts',
  'streams/store/telemetry-consumer.engine.test.ts',
  'tests/e2e/portal.page.test.ts',
  'tests/integration/bad-input.engine.test.ts',
  'tests/integration/demo.engine.test.ts',
  'tests/e2e/real-server.page.test.ts',
  'tests/integration/cli.engine.test.ts',
  'streams/control/durability.engine.test.ts',
  'streams/control/audit.engine.test.ts',
  'tests/security/access-matrix.engine.test.ts',
  'streams/log/disk-faults.engine.test.ts',
  'billing-rater/metering/metering.engine.test.ts',
  'tests/integration/own-traces.engine.test.ts',
];

/** Runs the {@link longest} files before all others, whatever suite they belong to; the others by what they took last time or their size. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) => {
      const at = longest.indexOf(relative(this.ctx.config.root, moduleId));
      return at < 0 ? longest.length : at;
    };
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b));
  }
}
