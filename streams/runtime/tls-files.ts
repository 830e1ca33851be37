import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import type { Logger } from 'pino';
import { AppError } from '../contract/index.ts';

/** Certificate chain and private key in PEM. */
export interface TlsMaterial {
  readonly cert: Buffer;
  readonly key: Buffer;
}

/** Where a listener finds its certificate, now and when it is renewed. */
export interface TlsSource {
  readonly current: TlsMaterial;
  onChange(listener: (material: TlsMaterial) => void): void;
}

/**
 * The certificate and key of every listener, read again when the files change.
 *
 * *Errors* `config.invalid` when they cannot be read or do not belong together at the start; later the old pair stays in use and the log says so.
 */
export class TlsFiles implements TlsSource {
  readonly #certFile: string;
  readonly #keyFile: string;
  readonly #listeners: ((material: TlsMaterial) => void)[] = [];
  #current: TlsMaterial;
  #timer: NodeJS.Timeout | undefined;

  constructor(certFile: string, keyFile: string) {
    this.#certFile = certFile;
    this.#keyFile = keyFile;
    this.#current = this.#read();
  }

  get current(): TlsMaterial {
    return this.#current;
  }

  onChange(listener: (material: TlsMaterial) => void): void {
    this.#listeners.push(listener);
  }

  /** Reads the files; a changed, valid pair goes to the listeners, new connections get it. Answers whether it changed. */
  reload(): boolean {
    const read = this.#read();
    if (read.cert.equals(this.#current.cert) && read.key.equals(this.#current.key)) return false;
    this.#current = read;
    for (const listener of this.#listeners) listener(read);
    return true;
  }

  /** Looks every `everyMs`: contents, not file events, because secrets are usually mounted through links that are swapped. */
  watch(logger: Logger, everyMs: number): void {
    this.#timer = setInterval(() => {
      try {
        if (this.reload()) logger.info({ file: this.#certFile }, 'certificate renewed');
      } catch (error) {
        logger.error({ err: error }, 'the renewed certificate cannot be used: the old one stays');
      }
    }, everyMs);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #read(): TlsMaterial {
    try {
      const material = { cert: readFileSync(this.#certFile), key: readFileSync(this.#keyFile) };
      createSecureContext(material);
      return material;
    } catch (cause) {
      throw new AppError(
        'config.invalid',
        `server.tlsCert ${this.#certFile} and server.tlsKey ${this.#keyFile} are no usable pair: ${(cause as Error).message}`,
        { status: 400, field: 'server.tlsCert', cause },
      );
    }
  }
}
