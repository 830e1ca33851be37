import { type Logger, pino } from 'pino';

/** JSON lines on stdout; credentials are cut out wherever they may stand. */
export function createLogger(level: string): Logger {
  return pino({
    level,
    base: { service: 'pulse' },
    timestamp: pino.stdTimeFunctions.isoTime,
    redact: {
      paths: [
        'authorization',
        '*.authorization',
        'headers.authorization',
        'req.headers.authorization',
        'apiKey',
        '*.apiKey',
        'token',
        '*.token',
      ],
      censor: '[redacted]',
    },
  });
}
