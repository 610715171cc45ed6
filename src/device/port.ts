/**
 * The serial port as we need it: six members of Web Serial's `SerialPort`, so that a real browser port,
 * a port of Node's `serialport`, a TCP stream and the virtual board are all the same to the layers above.
 */

/** USB ids of what the port hangs on; both missing for a plain tty. Web Serial gives no serial number and no name. */
export interface PortInfo {
  usbVendorId?: number;
  usbProductId?: number;
}

export interface PortOptions {
  baudRate: number;
  /** Bytes that the platform buffers either way. Web Serial's default of 255 costs CPU; 16384 is the sensible value. */
  bufferSize?: number;
}

export interface PortSignals {
  dataTerminalReady?: boolean;
  requestToSend?: boolean;
  break?: boolean;
}

export interface Port {
  readonly readable: ReadableStream<Uint8Array> | null;
  readonly writable: WritableStream<Uint8Array> | null;
  open(options: PortOptions): Promise<void>;
  close(): Promise<void>;
  setSignals(signals: PortSignals): Promise<void>;
  getInfo(): PortInfo;
}

/**
 * Where ports come from. Needed during a job as well: a native-USB board leaves at each reset
 * and comes back as another `Port` object.
 */
export interface PortSource {
  /** The ports that may be used now, in no particular order (Web Serial's changes from start to start). */
  list(): Promise<Port[]>;
  /**
   * Lets the user choose a port.
   *
   * @throws {DeviceError} `no-port-chosen` when the user closes the picker.
   */
  request(): Promise<Port>;
  /** Calls back for each port that appears. The returned function ends it. */
  onArrived(callback: (port: Port) => void): () => void;
  /** Calls back for each port that disappears. The returned function ends it. */
  onLeft(callback: (port: Port) => void): () => void;
}
