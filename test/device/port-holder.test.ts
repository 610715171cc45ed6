import { expect, test } from 'vitest';
import { ModelClock } from '#model-clock.ts';
import { PortHolder } from '#device/port-holder.ts';
import { type Port, type PortSource } from '#device/port.ts';
import { ScriptedPort } from './support/scripted-port.ts';

const NATIVE = { usbVendorId: 0x303a, usbProductId: 0x1001 };

class FakeSource implements PortSource {
  readonly arrived = new Set<(port: Port) => void>();
  readonly left = new Set<(port: Port) => void>();
  list = (): Promise<Port[]> => Promise.resolve([]);
  request = (): Promise<Port> => Promise.reject(new Error('not used'));
  onArrived(callback: (port: Port) => void): () => void {
    this.arrived.add(callback);
    return () => this.arrived.delete(callback);
  }
  onLeft(callback: (port: Port) => void): () => void {
    this.left.add(callback);
    return () => this.left.delete(callback);
  }
}

const portWith = (info: Port extends { getInfo(): infer I } ? I : never): ScriptedPort =>
  Object.assign(new ScriptedPort(), { info });

test('the port that comes after a departure takes the place of the old one', async () => {
  const clock = new ModelClock();
  const source = new FakeSource();
  const holder = new PortHolder(portWith(NATIVE), clock, source);
  const next = portWith(NATIVE);
  await clock.run(async () => {
    const successor = holder.successor(3000);
    clock.after(400, () => source.arrived.forEach((tell) => tell(next)));
    expect(await successor).toBe(next);
  });
  expect(holder.port).toBe(next);
  expect(clock.now()).toBe(400);
});

test('a port that came before the reset, or of another vendor, is not taken', async () => {
  const clock = new ModelClock();
  const source = new FakeSource();
  const holder = new PortHolder(portWith(NATIVE), clock, source);
  const tell = (port: Port): void => source.arrived.forEach((callback) => callback(port));
  tell(portWith(NATIVE));
  holder.expectDeparture();
  tell(portWith({ usbVendorId: 0x10c4, usbProductId: 0xea60 }));
  await clock.run(async () => {
    await expect(holder.successor(3000)).rejects.toMatchObject({ code: 'port-lost' });
  });
});

test('without a source, or behind a bridge, a port that leaves is lost', async () => {
  const clock = new ModelClock();
  const bare = new PortHolder(portWith(NATIVE), clock);
  const bridge = new PortHolder(portWith({ usbVendorId: 0x1a86, usbProductId: 0x7523 }), clock, new FakeSource());
  for (const holder of [bare, bridge]) {
    expect(holder.canFollow).toBe(false);
    await expect(holder.successor(3000)).rejects.toMatchObject({ code: 'port-lost' });
  }
});

test('tells of the departure of the held port only, and of nothing after dispose', () => {
  const source = new FakeSource();
  const port = portWith(NATIVE);
  const holder = new PortHolder(port, new ModelClock(), source);
  let losses = 0;
  holder.onLoss = () => losses++;
  const leave = (left: Port): void => source.left.forEach((callback) => callback(left));
  leave(new ScriptedPort());
  leave(port);
  expect(losses).toBe(1);
  holder.dispose();
  leave(port);
  expect(losses).toBe(1);
  expect(source.arrived.size + source.left.size).toBe(0);
});
