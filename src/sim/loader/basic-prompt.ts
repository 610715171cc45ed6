/** What a chip runs when nothing is left to run. */
import { type Machine, type Program } from '#sim/machine.ts';

/** Code that hangs: it takes bytes and says nothing, until a reset. */
export class DeadProgram implements Program {
  receive(): void {
    // Nobody looks at the receive buffer any more.
  }

  stop(): void {
    // There is nothing to end.
  }
}

/** The ESP32's built-in command interpreter (Tiny BASIC): it echoes, and understands nothing that a flasher sends. */
export class BasicPrompt implements Program {
  readonly #machine: Machine;

  constructor(machine: Machine) {
    this.#machine = machine;
  }

  receive(bytes: Uint8Array): void {
    const echo: number[] = [];
    for (const byte of bytes) {
      if (byte === 0x00) continue;
      if (byte === 0x08) echo.push(0x08, 0x20, 0x08);
      else if (byte === 0x0a || byte === 0x0d) for (const char of '\r\nHow?\r\n>') echo.push(char.charCodeAt(0));
      else echo.push(byte);
    }
    this.#machine.send(Uint8Array.from(echo));
  }

  stop(): void {
    // It only reacts; no timer is pending.
  }
}
