"""Adapters that run batch jobs of this package behind other packages' operators; nothing else imports them."""
