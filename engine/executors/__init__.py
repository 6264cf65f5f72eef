"""Executors: the same work on many things, in this process, in several, or on a cluster; one file each."""
