/** A board on 127.0.0.1 that does what the seed firmware does, and no more: the page, the download by ranges, the other slot. */
import { createServer, type Server } from 'node:http';
import { isDataImage } from '#formats/data/data-image.ts';

const RANGE = 65_536;

export class HttpBoard {
  running: 'ota_0' | 'ota_1' = 'ota_0';
  version = '1.0.0';
  data = 'old data';
  /** How many times it was asked to download. */
  asked = 0;
  /** Called before each range; whoever waits in it holds the download up. */
  beforeRange: (range: number) => Promise<void> = async () => undefined;
  /** The whole of each file that it got. */
  readonly files: Uint8Array[] = [];
  readonly #server: Server;
  address = '';

  constructor() {
    this.#server = createServer((request, response) => {
      const { pathname, searchParams } = new URL(request.url ?? '/', 'http://board');
      if (pathname === '/ota') {
        this.asked++;
        response.end('updating...');
        void this.#download(searchParams.get('url') ?? '').catch(() => undefined); // it says so on its console only
      } else response.setHeader('Content-Type', 'text/html').end(this.#page());
    });
  }

  async start(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    this.address = `127.0.0.1:${(this.#server.address() as { port: number }).port}`;
  }

  stop(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  #page(): string {
    const other = this.running === 'ota_0' ? 'ota_1' : 'ota_0';
    return (
      `**************** app 0 *****************<br><br><br>App Partitoin: ${this.running}<br>project: voice_box<br>` +
      `Version: ${this.version}<br><br>Data Partition: ${other}<br>data: ${this.data}`
    );
  }

  async #download(url: string): Promise<void> {
    const head = await fetch(url, { method: 'HEAD' });
    const size = Number(head.headers.get('content-length'));
    const bytes = new Uint8Array(size);
    for (let at = 0; at < size; at += RANGE) {
      await this.beforeRange(at / RANGE);
      const range = `bytes=${at}-${Math.min(at + RANGE, size) - 1}`;
      const part = await fetch(url, { headers: { range, connection: 'close' } });
      if (part.status !== 206) throw new Error(`${part.status}`);
      bytes.set(new Uint8Array(await part.arrayBuffer()), at);
    }
    this.files.push(bytes);
    if (isDataImage(bytes)) {
      this.data = new TextDecoder().decode(bytes.subarray(32, 42));
      return;
    }
    this.running = this.running === 'ota_0' ? 'ota_1' : 'ota_0';
    this.version = '2.0.0';
  }
}
