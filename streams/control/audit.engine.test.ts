import { describe } from 'vitest';
import { auditConformance } from './audit-conformance.ts';
import { startTestControl } from './test-control.ts';

describe('the audit chain on PGlite', () => auditConformance(startTestControl));
