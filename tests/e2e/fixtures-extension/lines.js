// Twelve pictures, one below the other: some are in view, most are not.
for (let i = 0; i < 12; i += 1) {
  const image = new Image(300, 400);
  image.src = `/photos/cat.jpg?${i}`;
  image.id = `p${i}`;
  image.style.display = 'block';
  document.getElementById('many').append(image);
}
