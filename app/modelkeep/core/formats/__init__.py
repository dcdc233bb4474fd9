"""DVC's texts turned into values and back. Pure: no file is opened here and no program is started."""
