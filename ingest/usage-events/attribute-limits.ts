import { AppError, type TenantLimits, type UsageEvent } from 'streams/contract';

/**
 * Refuses events whose further data is more than the tenant's records may carry: events are taken all or none, so nothing is cut out.
 *
 * *Errors* `limits.attributes_per_record`, `limits.attribute_bytes` (400) naming the event; names and values are not quoted.
 */
export function refuseExcessAttributes(
  events: readonly UsageEvent[],
  limits: Pick<TenantLimits, 'attributesPerRecord' | 'attributeNameBytes' | 'attributeValueBytes'>,
): void {
  const { attributesPerRecord, attributeNameBytes, attributeValueBytes } = limits;
  for (const [index, { attributes }] of events.entries()) {
    const entries = Object.entries(attributes);
    const refuse = (code: string, message: string, limit: number) =>
      new AppError(code, message, { status: 400, field: `[${index}].data`, context: { limit } });
    if (entries.length > attributesPerRecord)
      throw refuse(
        'limits.attributes_per_record',
        `an event may have ${attributesPerRecord} attributes beside its value`,
        attributesPerRecord,
      );
    for (const [name, value] of entries) {
      if (Buffer.byteLength(name) > attributeNameBytes)
        throw refuse(
          'limits.attribute_bytes',
          `an attribute's name may have ${attributeNameBytes} bytes`,
          attributeNameBytes,
        );
      if (Buffer.byteLength(value) > attributeValueBytes)
        throw refuse(
          'limits.attribute_bytes',
          `an attribute's value may have ${attributeValueBytes} bytes`,
          attributeValueBytes,
        );
    }
  }
}
