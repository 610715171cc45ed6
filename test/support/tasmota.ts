/**
 * tasmota-webserial-esptool in Node. What its `main` names was built for bundlers, with imports that Node does not resolve;
 * the bundle for browsers that lies beside it is one file.
 */
import type * as Tasmota from 'tasmota-webserial-esptool';

export async function loadTasmota(): Promise<typeof Tasmota> {
  // @ts-expect-error -- the bundle has no types of its own; they are those of the package.
  return (await import('tasmota-webserial-esptool/dist/web/index.js')) as typeof Tasmota;
}

/** A logger that says nothing. */
export const silent: Tasmota.Logger = {
  log: () => undefined,
  error: () => undefined,
  debug: () => undefined,
};
