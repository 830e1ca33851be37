import { Decision } from 'streams/contract';
import type { Consumer, Log } from 'streams/log';
import type { Services } from 'streams/runtime';
import type { DecisionLedger } from './decision-ledger.ts';

/**
 * Takes proposals from topic `decisions` and records each once. An unreadable proposal, or one for a tenant that is not there, is logged and passed over:
 * the log keeps its bytes, and nothing may act on it. A failing control plane redelivers.
 */
export function createDecisionConsumer(deps: {
  readonly log: Log;
  readonly ledger: DecisionLedger;
  readonly logger: Services['logger'];
  tenantExists(id: string): boolean;
}): Consumer {
  return deps.log.consumer({
    topic: 'decisions',
    group: 'orchestrator',
    maxRecords: 100,
    maxBytes: 4 * 1024 * 1024,
    lingerMs: 0,
    async handle(batch) {
      for (const record of batch.records) {
        const position = { partition: record.partition, offset: record.offset };
        const decision = parse(record.payload);
        if (decision === null) deps.logger.error(position, 'a decision on the log is unreadable and was passed over');
        else if (!deps.tenantExists(decision.tenantId))
          deps.logger.error(
            { ...position, tenant: decision.tenantId },
            'a decision names an unknown tenant and was passed over',
          );
        else await deps.ledger.record(decision);
      }
    },
    onError: (error) => deps.logger.warn({ err: error }, 'decisions could not be recorded; they will be tried again'),
  });
}

function parse(payload: Uint8Array): Decision | null {
  try {
    return Decision.parse(JSON.parse(Buffer.from(payload).toString('utf8')));
  } catch {
    return null;
  }
}
