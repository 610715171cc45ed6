/**
 * What the address of the page may say of the virtual board, for tests and for those who look for trouble:
 *
 * - `?demoSpeed=20`: seconds of the board for a second of the day. Gives the page a handle for tests as well (demo-handle.ts).
 * - `?demoFault=unplug:200000`: something goes wrong, see demo-faults.ts.
 */

/** Fast enough not to bore, slow enough to see what happens. */
const USUAL_SPEED = 2;

export interface DemoParameters {
  speed: number;
  fault?: string;
  /** Tests may look into the board. */
  hasHandle: boolean;
}

export function demoParameters(search: string): DemoParameters {
  const parameters = new URLSearchParams(search);
  const speed = Number(parameters.get('demoSpeed'));
  const fault = parameters.get('demoFault');
  const isAsked = speed >= 0.1 && speed <= 200;
  return { speed: isAsked ? speed : USUAL_SPEED, hasHandle: isAsked, ...(fault === null ? {} : { fault }) };
}
