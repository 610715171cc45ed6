/**
 * Virtual boards in a process of their own, each on two TCP ports, in real time. The parent says what they hold, and asks
 * afterwards whether the flash is as it should be.
 */
import { PacedClock } from '#app/demo/paced-clock.ts';
import { equalBytes } from '#formats/bytes.ts';
import { VirtualEsp32 } from '#sim/virtual-esp32.ts';
import process from 'node:process';
import { serveBoard } from '../../../src/cli/virtual-server.ts';
import { parseTcpAddress } from '../../../src/cli/ports/port-name.ts';
import { fineWaker } from './fine-waker.ts';
import { FloorProgram } from './floor-program.ts';
import { flashBefore, type Job, partsAfter } from './jobs.ts';
import { boardOn } from './lines.ts';
import { type BoardAddress, type BoardsOrder } from './orders.ts';
import { answerRequests } from './requests.ts';

const ANY = { host: '127.0.0.1', port: 0 };
const boards: VirtualEsp32[] = [];

async function start({ line, count, flashSize, floor }: BoardsOrder): Promise<BoardAddress[]> {
  const clock = new PacedClock(1, fineWaker());
  const addresses: BoardAddress[] = [];
  for (let index = 0; index < count; index++) {
    const board: VirtualEsp32 = new VirtualEsp32({
      ...boardOn(line),
      clock,
      flashSize,
      startFirmware(machine) {
        if (!floor) return { receive: () => undefined, stop: () => undefined };
        board.line.deviceBaud = line.baud;
        return new FloorProgram(machine, floor);
      },
    });
    boards.push(board);
    const { uart = '', control = '' } = (await serveBoard(board, { uart: ANY, control: ANY })).addresses;
    addresses.push({ uart: parseTcpAddress(uart), control: parseTcpAddress(control) });
  }
  return addresses;
}

function prepare(job: Job): void {
  const content = flashBefore(job);
  for (const { flash } of boards) flash.bytes.set(content);
}

/** Whether every board holds what it should; the rest of the flash is left out of it. */
async function check(job: Job): Promise<boolean> {
  const parts = await partsAfter(job);
  return boards.every(({ flash }) =>
    parts.every(({ offset, data }) => equalBytes(flash.bytes.subarray(offset, offset + data.length), data)),
  );
}

answerRequests({ start, prepare, check });
process.once('disconnect', () => process.exit());
