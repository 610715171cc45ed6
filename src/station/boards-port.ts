/** The port from which boards download, which stays the same so that they go on after a restart. */
export const BOARDS_PORT = 4601;

/** A port for a page whose own is taken: not the next one, which is that of the boards. */
export const portInstead = (port: number): number => (port < 65_000 ? port + 10 : port - 10);
