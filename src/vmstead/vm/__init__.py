"""The use cases of ``vm.*`` and ``vm.device.*``, and the logic they rest on."""
