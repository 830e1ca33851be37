import { describe } from 'vitest';
import { leaseConformance } from './lease-conformance.ts';
import { startTestControl } from './test-control.ts';

describe('leases on PGlite', () => leaseConformance(startTestControl));
