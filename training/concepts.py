"""What the built-in model knows: objects, plain backgrounds, scenes and object colours."""

from __future__ import annotations

from dataclasses import dataclass

# One object a line: code point of its picture, its name, then other words for it.
_OBJECTS = """
1f431 cat, kitty, kitten
1f436 dog, puppy
1f98a fox
1f981 lion
1f42f tiger
1f434 horse, pony
1f984 unicorn
1f993 zebra
1f98c deer, stag
1f42e cow
1f437 pig, piglet
1f410 goat
1f42b camel
1f999 llama, alpaca
1f992 giraffe
1f418 elephant
1f98f rhinoceros, rhino
1f42d mouse
1f439 hamster
1f430 rabbit, bunny
1f994 hedgehog
1f987 bat
1f43b bear
1f428 koala
1f43c panda
1f998 kangaroo
1f435 monkey
1f98d gorilla
1f43a wolf
1f99d raccoon
1f414 chicken, hen
1f424 chick
1f426 bird
1f427 penguin
1f985 eagle
1f986 duck
1f9a2 swan
1f989 owl
1f9a9 flamingo
1f99a peacock
1f99c parrot
1f438 frog
1f40a crocodile, alligator
1f422 turtle, tortoise
1f98e lizard
1f40d snake
1f409 dragon
1f995 dinosaur
1f433 whale
1f42c dolphin
1f420 fish
1f988 shark
1f419 octopus
1f980 crab
1f99e lobster
1f40c snail
1f98b butterfly
1f41d bee
1f41e ladybug, ladybird
1f577-fe0f spider
1fabc jellyfish
1f347 grapes
1f349 watermelon
1f34a tangerine, orange fruit
1f34b lemon
1f34c banana
1f34d pineapple
1f34e apple
1f350 pear
1f351 peach
1f352 cherries, cherry
1f353 strawberry
1f345 tomato
1f951 avocado
1f955 carrot
1f33d corn
1f966 broccoli
1f344 mushroom
1f35e bread, loaf of bread
1f950 croissant
1f9c0 cheese
1f354 burger, hamburger
1f35f fries
1f355 pizza
1f32d hot dog
1f32e taco
1f95a egg
1f37f popcorn
1f369 donut, doughnut
1f36a cookie
1f382 cake, birthday cake
1f9c1 cupcake
1f366 ice cream
1f36d lollipop
1f36c candy
2615 coffee, cup of coffee
1f37a beer
1f95b milk, glass of milk
1fad6 teapot
1f697 car, automobile
1f695 taxi, cab
1f68c bus
1f69a truck, lorry
1f69c tractor
1f682 train, locomotive
1f6b2 bicycle, bike
1f3cd-fe0f motorcycle, motorbike
1f691 ambulance
1f692 fire truck, fire engine
1f693 police car
2708-fe0f airplane, plane
1f681 helicopter
1f680 rocket, spaceship
1f6f8 ufo, flying saucer
26f5 sailboat
1f6a2 ship
1f31e sun
1f319 moon
2b50 star
2601-fe0f cloud
1f308 rainbow
26c4 snowman
1f525 fire, flame
1f333 tree
1f332 pine tree
1f334 palm tree
1f335 cactus
1f339 rose
1f33b sunflower
1f337 tulip
1f3d4-fe0f mountain
1f30b volcano
1fa90 planet, saturn
1f30d earth, globe
1f3e0 house, home
1f3f0 castle
26ea church
26fa tent
1f388 balloon
1f381 gift, present
1f3c6 trophy
26bd soccer ball, football
1f3c0 basketball
1f3b8 guitar
1f941 drum
1f3b9 piano
1f451 crown
1f3a9 hat, top hat
2602-fe0f umbrella
1f511 key
1f512 lock, padlock
1f4d5 book
270f-fe0f pencil
1f4f1 phone, smartphone
1f4f7 camera
23f0 clock, alarm clock
1f4a1 light bulb
1f48e diamond, gem
2764-fe0f heart
1f916 robot
1f47b ghost
1f47d alien
1f480 skull
1f9f8 teddy bear, teddy
1f383 pumpkin
1f45f shoe, sneaker
1f392 backpack, rucksack
2693 anchor
"""

# Plain backgrounds: sRGB, 0 to 255.
COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (220, 60, 55),
    "orange": (245, 150, 60),
    "yellow": (250, 215, 80),
    "green": (95, 180, 90),
    "blue": (80, 140, 230),
    "purple": (150, 95, 205),
    "pink": (250, 170, 200),
    "black": (25, 25, 30),
    "white": (250, 250, 250),
    "gray": (150, 150, 155),
}

# Objects are recoloured by turning their dominant hue to this one, in degrees.
HUES: dict[str, float] = {
    "red": 0,
    "orange": 28,
    "yellow": 50,
    "green": 120,
    "blue": 218,
    "purple": 275,
    "pink": 325,
}

SCENES: dict[str, tuple[str, ...]] = {
    "meadow": ("in a meadow", "on a green meadow", "in the meadow", "on the grass"),
    "beach": ("on a beach", "at the beach", "on the beach", "by the sea"),
    "night": ("at night", "under a night sky", "in the night sky", "under the stars"),
    "snow": ("in the snow", "on a snowy day", "in snow", "in winter"),
    "sunset": ("at sunset", "under a sunset sky", "in the sunset", "at dusk"),
}

BACKGROUNDS: tuple[str, ...] = (*COLOURS, *SCENES)


@dataclass(frozen=True)
class Concept:
    """An object: its picture's code point in hexadecimal, and the words for it, best first."""

    code: str
    words: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.words[0]


def _parse(line: str) -> Concept:
    code, words = line.split(" ", 1)
    return Concept(code, tuple(word.strip() for word in words.split(",")))


CONCEPTS: tuple[Concept, ...] = tuple(_parse(line) for line in _OBJECTS.strip().splitlines())
NAMES: tuple[str, ...] = tuple(concept.name for concept in CONCEPTS)
