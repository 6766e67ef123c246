"""The shell: the loop, the sources, the store, delivery and the watchdog. All I/O is here."""
