// What the fixture page does by itself: a shadow tree, and drawings.
const image = new Image();
image.src = '/photos/astronaut.jpg?shadow';
image.id = 'shadow';
image.width = 144;
image.height = 96;
document.getElementById('shadow-host').attachShadow({ mode: 'open' }).append(image);

for (const id of ['canvas', 'live']) {
  const context = document.getElementById(id).getContext('2d');
  const photo = new Image();
  photo.onload = () => context.drawImage(photo, 0, 0, 144, 96);
  photo.src = '/photos/cat.jpg?drawn';
}
