"""``auth.*`` and ``core.*``: what every client needs, whatever it is about."""
