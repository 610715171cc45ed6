/** The port from which boards download, which stays the same so that they go on after a restart. */
export const BOARDS_PORT = 4601;
