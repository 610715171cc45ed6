/** What runs when a loader jumps into RAM: told by the bytes that lie there. */
import { concatBytes, toHex } from '#formats/bytes.ts';
import { sha256 } from '@noble/hashes/sha2.js';
import { DeadProgram } from './basic-prompt.ts';
import { type LoaderMachine } from '#sim/machine.ts';
import { OldStub } from './old-stub.ts';
import { Stub } from './stub.ts';

/**
 * Starts the stub of esptool-js 0.7.0 when it is that, byte for byte, else the older stub when anything was loaded
 * there; with nothing loaded the chip hangs.
 */
export function startUploaded(machine: LoaderMachine, entry: number): void {
  const { chip, memory } = machine;
  if (!memory.isLoaded(entry)) {
    machine.start(new DeadProgram());
    return;
  }
  const { text, data, sha256: expected, entry: known } = chip.stub;
  const image = concatBytes(memory.dump(...text), memory.dump(...data));
  const isKnown = entry === known && toHex(sha256(image)) === expected;
  machine.start(isKnown ? new Stub(machine) : new OldStub(machine));
}
