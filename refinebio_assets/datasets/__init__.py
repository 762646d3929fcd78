"""User datasets: how samples and their metadata are packaged for download."""
