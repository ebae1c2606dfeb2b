"""Native time loops: recurrent layers in fp32 on a CPU, compiled at installation where a compiler is."""
