import { describe } from 'vitest';
import { controlConformance } from './conformance.ts';
import { startTestControl } from './test-control.ts';

describe('the control plane on PGlite', () => controlConformance(startTestControl));
