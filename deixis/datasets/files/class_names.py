"""Names of classes as files write them, as a person says them. Independent of data sets."""


def readable(name: str) -> str:
    """A class name as a person says it.

    >>> readable("traffic_light"), readable(" Sign--Symbol ")
    ('traffic light', 'Sign--Symbol')
    """
    return " ".join(name.replace("_", " ").split())


def bare_name(name: str) -> str:
    """A name without what tells it from others of its spelling.

    >>> bare_name("cup_(drink)"), bare_name("monitor_(computer_equipment) computer_monitor"), bare_name("home_plate")
    ('cup', 'monitor', 'home plate')
    """
    return readable(name.split("_(")[0])
