/** The requests that upload a stub, made from the JSON files of the packages that ship them. */
import { concatBytes, writeU32 } from '#formats/bytes.ts';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

interface StubJson {
  entry: number;
  text: string;
  text_start: number;
  data: string;
  data_start: number;
}

const BLOCK = 0x1800;
const require = createRequire(import.meta.url);

const fromBase64 = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'base64'));

function words(...values: number[]): Uint8Array {
  const bytes = new Uint8Array(4 * values.length);
  values.forEach((value, index) => writeU32(bytes, 4 * index, value));
  return bytes;
}

/** A request with its header. */
export function request(op: number, payload: Uint8Array, checksum = 0): Uint8Array {
  return concatBytes(Uint8Array.of(0, op, payload.length & 0xff, payload.length >> 8), words(checksum), payload);
}

export function dataRequest(op: number, sequence: number, data: Uint8Array): Uint8Array {
  const checksum = data.reduce((sum, byte) => sum ^ byte, 0xef);
  return request(op, concatBytes(words(data.length, sequence, 0, 0), data), checksum);
}

export const wordRequest = (op: number, ...values: number[]): Uint8Array => request(op, words(...values));

export function readStub(chip: string, shippedBy: 'esptool-js' | 'tasmota-webserial-esptool'): StubJson {
  const main = dirname(require.resolve(shippedBy));
  const path = shippedBy === 'esptool-js' ? `targets/stub_flasher/${chip}.json` : `stubs/${chip}.json`;
  return JSON.parse(readFileSync(join(main, path), 'utf8')) as StubJson;
}

/** MEM_BEGIN, MEM_DATA … and MEM_END for text and data of a stub. */
export function stubSegments(
  chip: string,
  shippedBy: 'esptool-js' | 'tasmota-webserial-esptool' = 'esptool-js',
): Uint8Array[] {
  const stub = readStub(chip, shippedBy);
  const segments = [
    { start: stub.text_start, bytes: fromBase64(stub.text) },
    { start: stub.data_start, bytes: fromBase64(stub.data) },
  ];
  const requests = segments.flatMap(({ start, bytes }) => {
    const blocks = Math.ceil(bytes.length / BLOCK);
    const data = Array.from({ length: blocks }, (_, block) =>
      dataRequest(0x07, block, bytes.subarray(block * BLOCK, (block + 1) * BLOCK)),
    );
    return [wordRequest(0x05, bytes.length, blocks, BLOCK, start), ...data];
  });
  return [...requests, wordRequest(0x06, 0, stub.entry)];
}
