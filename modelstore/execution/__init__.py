"""Who trains and where: this process, and worker processes beside it, one a device or a share of the CPU."""
