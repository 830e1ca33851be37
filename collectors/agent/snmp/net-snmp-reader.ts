import snmp from 'net-snmp';
import { AppError } from 'streams/contract';
import type { SnmpDevice } from './device.ts';
import type { SnmpReader, SnmpValue } from './snmp-reader.ts';

/**
 * Asks a device with a session of its own, and closes it: a restarted device has another v3 engine time, and an old session would go on with the old one.
 *
 * *Errors* `agent.snmp_timeout` (also for a wrong community: SNMP v2c gives no answer to it), `agent.snmp_refused` (wrong user or key, v3),
 * `agent.snmp_answer` (what came is no answer). All retryable.
 */
export async function withDevice<Answer>(
  device: SnmpDevice,
  deadlineMs: number,
  ask: (reader: SnmpReader) => Promise<Answer>,
): Promise<Answer> {
  const session = openSession(device);
  let timer: NodeJS.Timeout | undefined;
  const tooLong = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(deviceError('agent.snmp_timeout', device, `not done within ${deadlineMs} ms`)),
      deadlineMs,
    );
  });
  // its own way of telling is an event named like the error, which nobody can listen to; the requests time out anyway
  session.on('error', () => undefined);
  try {
    return await Promise.race([ask(toReader(device, session)), tooLong]);
  } finally {
    clearTimeout(timer);
    session.close();
  }
}

function openSession(device: SnmpDevice): snmp.Session {
  const options = {
    port: device.port,
    timeout: device.timeoutMs,
    retries: device.retries,
    transport: device.host.includes(':') ? ('udp6' as const) : ('udp4' as const),
  };
  if (device.version === '2c') {
    return snmp.createSession(device.host, device.community.reveal(), { ...options, version: snmp.Version2c });
  }
  const { auth, priv } = device;
  const level =
    auth === undefined
      ? snmp.SecurityLevel.noAuthNoPriv
      : priv === undefined
        ? snmp.SecurityLevel.authNoPriv
        : snmp.SecurityLevel.authPriv;
  const user: snmp.User = {
    name: device.user,
    level,
    ...(auth && { authProtocol: snmp.AuthProtocols[auth.protocol], authKey: auth.key.reveal() }),
    ...(priv && { privProtocol: snmp.PrivProtocols[priv.protocol], privKey: priv.key.reveal() }),
  };
  return snmp.createV3Session(device.host, user, { ...options, version: snmp.Version3 });
}

function toReader(device: SnmpDevice, session: snmp.Session): SnmpReader {
  return {
    get: (oids) =>
      new Promise((resolve, reject) => {
        session.get([...oids], (error, varbinds) => {
          if (error !== null) return reject(fromSnmpError(device, error));
          const found = new Map<string, SnmpValue>();
          for (const varbind of varbinds ?? []) {
            const value = toValue(varbind);
            if (value !== null) found.set(varbind.oid, value);
          }
          resolve(found);
        });
      }),
    getBulk: (oids, repetitions) =>
      new Promise((resolve, reject) => {
        session.getBulk([...oids], 0, repetitions, (error, columns) => {
          if (error !== null) return reject(fromSnmpError(device, error));
          resolve(
            (columns ?? []).map((column) =>
              [column].flat().map((varbind) => ({ oid: varbind.oid, value: toValue(varbind) })),
            ),
          );
        });
      }),
  };
}

/** Null: the device has no such object. */
function toValue(varbind: snmp.Varbind): SnmpValue | null {
  if (snmp.isVarbindError(varbind)) return null;
  const { type, value } = varbind;
  if (type === snmp.ObjectType.Counter64) return value instanceof Uint8Array ? toUnsigned(value) : null;
  if (typeof value === 'number' && Number.isSafeInteger(value)) return BigInt(value);
  if (typeof value === 'string' || value instanceof Uint8Array) return value;
  return typeof value === 'bigint' ? value : null;
}

/** A Counter64 comes as the bytes of its BER integer: as few as the value needs, and a zero more when the highest bit is set. */
export function toUnsigned(bytes: Uint8Array): bigint {
  let value = 0n;
  for (const byte of bytes) value = value * 256n + BigInt(byte);
  return value;
}

/** By the name of its class: the published types lack it, and not all errors have codes. */
function fromSnmpError(device: SnmpDevice, error: Error): AppError {
  if (error.name === 'RequestTimedOutError') {
    return deviceError('agent.snmp_timeout', device, 'no answer', error);
  }
  const refused = error instanceof snmp.ResponseInvalidError && error.code === snmp.ResponseInvalidCode.EAuthFailure;
  return deviceError(refused ? 'agent.snmp_refused' : 'agent.snmp_answer', device, error.message, error);
}

function deviceError(code: string, device: SnmpDevice, reason: string, cause?: Error): AppError {
  return new AppError(code, `${device.name} (${device.host}:${device.port}): ${reason}`, {
    status: 502,
    retryable: true,
    ...(cause === undefined ? {} : { cause }),
  });
}
