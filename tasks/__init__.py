"""One Prefect step around one function of ``model`` or ``storage``."""
