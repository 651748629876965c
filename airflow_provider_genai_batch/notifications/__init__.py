"""Messages about tasks for people, sent by callbacks."""
