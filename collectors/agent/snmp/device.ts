import { AppError } from 'streams/contract';
import { secret } from 'streams/runtime';
import { z } from 'zod';

const Common = {
  /** Shown as attribute `dotmac.device`; one device a name. */
  name: z.string().min(1).max(64),
  host: z.string().min(1).max(253),
  port: z.coerce.number().int().min(1).max(65_535).default(161),
  /** Of one request; it is sent again `retries` times. */
  timeoutMs: z.coerce.number().int().min(50).max(30_000).default(2_000),
  retries: z.coerce.number().int().min(0).max(5).default(2),
};

/** A network device to be asked. Keys and communities are secrets: shown nowhere. */
export const SnmpDevice = z.discriminatedUnion('version', [
  z.strictObject({ version: z.literal('2c'), community: secret(), ...Common }),
  z.strictObject({
    version: z.literal('3'),
    user: z.string().min(1).max(32),
    auth: z
      .strictObject({ protocol: z.literal(['md5', 'sha', 'sha224', 'sha256', 'sha384', 'sha512']), key: secret() })
      .optional(),
    priv: z.strictObject({ protocol: z.literal(['des', 'aes', 'aes256b', 'aes256r']), key: secret() }).optional(),
    ...Common,
  }),
]);
export type SnmpDevice = z.infer<typeof SnmpDevice>;

const SnmpDevices = z
  .array(SnmpDevice)
  .max(1_000)
  .superRefine((devices, context) => {
    const names = new Set<string>();
    for (const [index, device] of devices.entries()) {
      if (names.has(device.name)) context.addIssue({ code: 'custom', path: [index, 'name'], message: 'used twice' });
      names.add(device.name);
      if (device.version !== '3') continue;
      if (device.priv !== undefined && device.auth === undefined) {
        context.addIssue({ code: 'custom', path: [index, 'priv'], message: 'privacy needs authentication (RFC 3414)' });
      }
      for (const part of ['auth', 'priv'] as const) {
        // RFC 3414 §11.2; shorter ones are refused by real agents with a mere timeout
        if ((device[part]?.key.reveal().length ?? 8) < 8) {
          context.addIssue({ code: 'custom', path: [index, part, 'key'], message: 'at least 8 characters' });
        }
      }
    }
  });

/** Settings of the polling. *Units* milliseconds. */
export const SnmpConfig = z.strictObject({
  devices: SnmpDevices.default([]),
  intervalMs: z.coerce.number().int().min(1_000).max(3_600_000).default(30_000),
  /** How often the neighbours are asked for. */
  neighboursEveryMs: z.coerce.number().int().min(1_000).max(86_400_000).default(300_000),
  /** Devices asked at once; a quarter more is set aside for those that did not answer last time. */
  concurrency: z.coerce.number().int().min(1).max(256).default(32),
});
export type SnmpConfig = z.infer<typeof SnmpConfig>;

/** Validates settings given by a program. *Errors* `agent.device_invalid` (400) naming the field. */
export function parseSnmpConfig(value: unknown): SnmpConfig {
  const parsed = SnmpConfig.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const field = `snmp.${issue?.path.join('.') ?? ''}`;
  throw new AppError('agent.device_invalid', `${field}: ${issue?.message ?? 'invalid'}`, { status: 400, field });
}
