/** SLIP, the framing of the boot loader protocol: C0 around a frame, DB DC for C0 and DB DD for DB inside. */
export const SLIP_END = 0xc0;
export const SLIP_ESCAPE = 0xdb;

/** What an escaped byte stands for; any other byte stands for itself. */
export const unescapeSlip = (byte: number): number => (byte === 0xdc ? SLIP_END : byte === 0xdd ? SLIP_ESCAPE : byte);

/** The frame with its escapes and both its ends. */
export function encodeSlip(frame: Uint8Array): Uint8Array<ArrayBuffer> {
  let extra = 2;
  for (const byte of frame) if (byte === SLIP_END || byte === SLIP_ESCAPE) extra++;
  const result = new Uint8Array(frame.length + extra);
  let at = 0;
  result[at++] = SLIP_END;
  for (const byte of frame) {
    if (byte === SLIP_END || byte === SLIP_ESCAPE) {
      result[at++] = SLIP_ESCAPE;
      result[at++] = byte === SLIP_END ? 0xdc : 0xdd;
    } else {
      result[at++] = byte;
    }
  }
  result[at] = SLIP_END;
  return result;
}
