/** From `--port` to a port that a session can be opened on. */
import { type Clock, systemClock } from '#clock.ts';
import { openError } from '#device/open-port.ts';
import { type Port, type PortSource } from '#device/port.ts';
import { ModelClock } from '#model-clock.ts';
import { VirtualBench } from '#sim/virtual-bench.ts';
import { VirtualEsp32 } from '#sim/virtual-esp32.ts';
import { openFlashFile } from '../flash-file.ts';
import { InputError } from '../input-error.ts';
import { DEMO_NETWORK, parsePortName, type PortName } from './port-name.ts';
import { Rfc2217Port } from './rfc2217-port.ts';
import { NodePortSource } from './serial-port.ts';
import { TcpPort } from './tcp-port.ts';

export interface BoardPlace {
  readonly port: Port;
  /** Where the board's port is found again when it leaves and comes back. */
  readonly source?: PortSource;
  readonly clock: Clock;
  /** The rate cannot be changed on this port. */
  readonly fixedBaud?: number;
  /** An adapter that is met again: what rate works with it is worth remembering. */
  readonly isAdapter?: boolean;
  /** Runs the work; for a virtual board in modelled time, which takes as long as its computing does. */
  run(work: () => Promise<void>): Promise<void>;
  dispose(): Promise<void>;
}

/** Flash of a virtual board that has no file yet. */
const VIRTUAL_FLASH_SIZE = 0x40_0000;

/**
 * @throws {InputError} when the name makes no sense, or `not-rfc2217`.
 * @throws {DeviceError} when the other end of a network cannot be reached.
 */
export async function openBoardPort(text: string): Promise<BoardPlace> {
  const name = parsePortName(text);
  switch (name.kind) {
    case 'serial': {
      const source = new NodePortSource();
      return {
        ...onSystemTime(await source.named(name.path)),
        source,
        isAdapter: true,
        dispose: async () => source.dispose(),
      };
    }
    case 'tcp':
      // Without control lines nobody at the other end changes the rate.
      return { ...onSystemTime(new TcpPort(name.uart, name.control)), ...(name.control ? {} : { fixedBaud: 115_200 }) };
    case 'rfc2217':
      return openRfc2217(name);
    case 'virtual':
      return openVirtual(name);
  }
}

const onSystemTime = (port: Port): BoardPlace => ({
  port,
  clock: systemClock,
  run: (work) => work(),
  dispose: async () => undefined,
});

async function openRfc2217({ address, options }: Extract<PortName, { kind: 'rfc2217' }>): Promise<BoardPlace> {
  const port = new Rfc2217Port(address, options);
  try {
    await port.reach();
  } catch (error) {
    throw error instanceof InputError ? error : openError(error);
  }
  return { ...onSystemTime(port), dispose: async () => port.dispose() };
}

async function openVirtual({ chip, wiring, file }: Extract<PortName, { kind: 'virtual' }>): Promise<BoardPlace> {
  const flash = await openFlashFile(file, VIRTUAL_FLASH_SIZE);
  const clock = new ModelClock();
  const board = new VirtualEsp32({ chip, clock, wiring, flash: flash.bytes, network: { accessPoint: DEMO_NETWORK } });
  const bench = new VirtualBench(board);
  const port = bench.portOf(board);
  if (!port) throw new InputError('port-name', 'The virtual board is not on the bus');
  return {
    port,
    source: bench,
    clock,
    run: (work) => clock.run(work),
    dispose: async () => {
      board.powerCut();
      await flash.save();
    },
  };
}
