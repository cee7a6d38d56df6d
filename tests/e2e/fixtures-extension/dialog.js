// A modal dialog that is there from the start, and that a click beside it closes; one in a shadow tree for later.
const question = document.getElementById('question');
question.showModal();
question.addEventListener('click', ({ clientX: x, clientY: y }) => {
  const { left, right, top, bottom } = question.getBoundingClientRect();
  if (x < left || x > right || y < top || y > bottom) question.close();
});
const shadow = document.getElementById('shadow-host').attachShadow({ mode: 'open' });
shadow.innerHTML = '<dialog><p>From a component</p><button>Fine</button></dialog>';
window.inShadow = shadow.querySelector('dialog');
