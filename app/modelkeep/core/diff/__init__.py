"""Two things of a kind -> a value that says what differs. Pure: opens no file, knows no Git and no stores."""
