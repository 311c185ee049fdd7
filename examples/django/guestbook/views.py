"""The pages."""

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render

from guestbook.models import Entry

PICTURES = {"image/png": b"\x89PNG\r\n", "image/jpeg": b"\xff\xd8\xff", "image/gif": b"GIF8"}
LARGEST = 4 * 1024 * 1024


class EntryForm(forms.ModelForm):
    """What a guest fills in."""

    upload = forms.FileField(label="Picture", required=False)

    class Meta:
        model = Entry
        fields = ["text"]

    def clean_upload(self):
        upload = self.cleaned_data["upload"]
        if not upload:
            return None
        content = upload.read(LARGEST + 1)
        for kind, beginning in PICTURES.items():
            if len(content) <= LARGEST and content.startswith(beginning):
                return kind, content
        raise forms.ValidationError("A PNG, JPEG or GIF of at most 4 MB.")


def index(request):
    entries = Entry.objects.select_related("author").defer("picture")[:100]
    return render(request, "guestbook/index.html", {"entries": entries, "form": EntryForm()})


@login_required
def sign(request):
    form = EntryForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        entry = form.save(commit=False)
        entry.author = request.user
        if form.cleaned_data["upload"]:
            entry.picture_type, entry.picture = form.cleaned_data["upload"]
        entry.save()
        messages.success(request, "Thank you for signing.")
        return redirect("index")
    return render(request, "guestbook/index.html", {"entries": [], "form": form})


def picture(request, number):
    entry = get_object_or_404(Entry, pk=number)
    if not entry.picture:
        raise Http404("no picture")
    return HttpResponse(bytes(entry.picture), content_type=entry.picture_type)
